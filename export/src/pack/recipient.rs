//! To whom a packed production is encrypted.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};

use crate::error::{Error, Kind};
use crate::settings::PACK_RECIPIENTS_BYTES_MAX;

/// The public key of a reader: `age1…`, of X25519, as `age-keygen` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(age::x25519::Recipient);

impl Recipient {
    /// Reads one.
    ///
    /// # Errors
    /// What is no such key, without the text itself: it may be a secret.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            return Err(Error::invalid(
                "it is a secret key, which stays with its owner; the public one begins with age1",
            ));
        }
        if text.starts_with("ssh-") {
            return Err(Error::invalid("it is a key of ssh; a key that age-keygen made is needed, age1…"));
        }
        let key = text.parse::<age::x25519::Recipient>().map_err(|what| {
            Error::invalid(format!("it is no public key of age, which begins with age1: {what}"))
        })?;
        if !is_usable(text) {
            return Err(Error::invalid("it is a key that everybody has the secret of"));
        }
        Ok(Recipient(key))
    }

    /// Those of a file as age reads it: one a line, empty lines and lines that begin with `#` left out.
    ///
    /// # Errors
    /// A file that cannot be read, names nobody, or has a line that is no such key, by its number.
    pub fn read(path: &Path) -> Result<Vec<Self>, Error> {
        let mut text = String::new();
        let shown = path.display();
        let read = File::open(path)
            .and_then(|file| file.take(PACK_RECIPIENTS_BYTES_MAX + 1).read_to_string(&mut text));
        read.map_err(|e| Error::with(Kind::Invalid, format!("cannot read the recipients of {shown}"), e))?;
        if text.len() as u64 > PACK_RECIPIENTS_BYTES_MAX {
            return Err(Error::invalid(format!("{shown} is too large for a file of recipients")));
        }
        let lines =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let recipients: Vec<Self> = lines
            .map(|(at, line)| {
                Recipient::parse(line).map_err(|e| Error::invalid(format!("{shown} line {}: {e}", at + 1)))
            })
            .collect::<Result<_, _>>()?;
        if recipients.is_empty() {
            return Err(Error::invalid(format!("{shown} names no recipient")));
        }
        Ok(recipients)
    }

    pub(super) fn key(&self) -> &dyn age::Recipient {
        &self.0
    }
}

/// With a point of low order both sides always agree on nought, which the library takes for a broken
/// source of randomness, and panics.
fn is_usable(text: &str) -> bool {
    let (Ok((_, bytes)), Ok(own)) = (bech32::decode(text), PrivateKey::generate(&X25519)) else {
        return false;
    };
    agree(&own, UnparsedPublicKey::new(&X25519, bytes), (), |_| Ok(())).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn check(text: &str, expected: &str) {
        let error = Recipient::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }

    #[test]
    fn what_is_no_recipient_is_told() {
        assert!(Recipient::parse(KEY).is_ok());
        assert!(Recipient::parse(&format!(" {KEY}\r")).is_ok());
        check("", "no public key of age");
        check(&KEY.replace("pa", "pq"), "no public key of age");
        check("age1xyz", "no public key of age");
        check("ssh-ed25519 AAAA", "key of ssh");
        check("dana@contoso.example", "no public key of age");
        let secret = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
        check(secret, "secret key");
        assert!(!Recipient::parse(secret).unwrap_err().to_string().contains("GQ9778"));
    }

    /// RFC 7748 section 6.1: an all-zero agreement. They must be refused, not panicked about.
    #[test]
    fn points_of_low_order_are_refused() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        for point in [[0; 32], one, minus_one] {
            let text = bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("age").unwrap(), &point).unwrap();
            check(&text, "everybody has the secret");
        }
    }

    #[test]
    fn a_file_of_recipients() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("to");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            Recipient::read(&path).map(|all| all.len()).map_err(|e| e.to_string())
        };
        assert_eq!(read(&format!("# Dana\n{KEY}\r\n\n  \n#\n{KEY}")), Ok(2));
        assert!(read("# nobody\n").unwrap_err().ends_with("names no recipient"));
        let error = read(&format!("{KEY}\n\nage1x\n")).unwrap_err();
        assert!(error.contains("to line 3: it is no public key"), "{error}");
        assert!(read(&"#".repeat(2 << 20)).unwrap_err().contains("too large"));
        fs::write(&path, b"\xff").unwrap();
        assert!(Recipient::read(&path).unwrap_err().to_string().contains("cannot read the recipients"));
        assert!(Recipient::read(dir.path()).is_err());
    }
}
