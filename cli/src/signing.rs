//! `custody key`: what productions are signed with.

use std::path::Path;

use custody_export::{PrivateKey, PublicKey};

use crate::failure::Done;
use crate::outln;

/// `custody key generate`
pub fn generate(name: &str, out: &Path) -> Done {
    let key = PrivateKey::generate(name)?;
    let public = key.write(out)?;
    outln!("{}", key.public());
    eprintln!(
        "the private key is {}: keep it secret, and keep it; readers of productions need the line above, {}",
        out.display(),
        public.display()
    );
    Ok(())
}

/// `custody key show`
pub fn show(file: &Path) -> Done {
    outln!("{}", PublicKey::read(file)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_shown() {
        let dir = tempfile::tempdir().unwrap();
        let (path, public) = (dir.path().join("key"), dir.path().join("key.pub"));
        generate("contoso.example/custody", &path).unwrap();
        let (private_text, public_text) =
            (fs::read_to_string(&path).unwrap(), fs::read_to_string(&public).unwrap());
        assert!(private_text.starts_with("PRIVATE+KEY+contoso.example/custody+"), "{private_text}");
        assert_eq!(PublicKey::read(&path).unwrap().to_string(), public_text.trim_end());
        show(&path).unwrap();
        show(&public).unwrap();

        let again = generate("contoso.example/custody", &path).unwrap_err();
        assert_eq!(again.exit_code(), std::process::ExitCode::from(2), "{again}");
        assert_eq!(fs::read_to_string(&path).unwrap(), private_text);
        assert_eq!(fs::read_to_string(&public).unwrap(), public_text);
    }

    #[test]
    fn mistakes_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for (name, why) in [("", "it is empty"), ("a b", "spaces"), ("a+b", "spaces")] {
            let refused = generate(name, &path).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
            assert!(!path.exists());
        }
        assert!(show(&path).unwrap_err().to_string().contains("cannot open"));
        fs::write(&path, "no key\n").unwrap();
        assert!(show(&path).unwrap_err().to_string().contains("holds no key"));
    }
}
