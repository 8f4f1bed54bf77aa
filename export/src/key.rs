//! Ed25519 keys in the text form of signed notes, and the files that hold them.
//!
//! A public key is `NAME+HASH+BASE64`, a private key `PRIVATE+KEY+NAME+HASH+BASE64`: HASH is eight
//! hexadecimal digits, the first four bytes of `SHA-256(NAME || 0x0A || 0x01 || public key)`, BASE64
//! the byte 0x01 (Ed25519) and the public key or the seed, 32 bytes each (RFC 8032).
//!
//! Sources: <https://c2sp.org/signed-note>; the text forms are those of Go's `sumdb/note`
//! (<https://pkg.go.dev/golang.org/x/mod/sumdb/note>).

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::settings::{KEY_FILE_BYTES_MAX, KEY_NAME_BYTES_MAX};

/// The signature type Ed25519.
const ED25519_TYPE: u8 = 1;
const PRIVATE: &str = "PRIVATE+KEY+";
/// Public keys and seeds, in bytes.
const KEY_BYTES: usize = 32;

/// What signatures are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    bytes: [u8; KEY_BYTES],
}

/// What notes are signed with. It is not shown by `Debug`.
pub struct PrivateKey {
    public: PublicKey,
    seed: [u8; KEY_BYTES],
    pair: Ed25519KeyPair,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Whether a name can stand in a key and in a signature's line.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let odd = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > KEY_NAME_BYTES_MAX {
        "it is too long"
    } else if name.contains(odd) {
        "spaces, control characters and + have no place in it"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("{name:?} cannot name a key: {why}")))
}

fn key_hash(name: &str, public: &[u8; KEY_BYTES]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update([b'\n', ED25519_TYPE]);
    hasher.update(public);
    let [a, b, c, d, ..]: [u8; 32] = hasher.finalize().into();
    [a, b, c, d]
}

/// `NAME+HASH+BASE64` after what says whose secret it is.
fn parse(text: &str) -> Option<(&str, &str, [u8; KEY_BYTES])> {
    let (name, rest) = text.split_once('+')?;
    let (hash, key) = rest.split_once('+')?;
    match STANDARD.decode(key).ok()?.split_first()? {
        (&ED25519_TYPE, key) => Some((name, hash, key.try_into().ok()?)),
        _ => None,
    }
}

fn hex(hash: [u8; 4]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key_text(name: &str, hash: [u8; 4], key: &[u8; KEY_BYTES]) -> String {
    let typed: Vec<u8> = [ED25519_TYPE].iter().chain(key).copied().collect();
    format!("{name}+{}+{}", hex(hash), STANDARD.encode(typed))
}

impl PublicKey {
    /// Reads `NAME+HASH+BASE64`.
    ///
    /// # Errors
    /// Of kind `Invalid` for anything else, also for a hash that is not of this key and name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let no_key = || Error::invalid("not a public key: NAME+HASH+BASE64 is one");
        if text.starts_with(PRIVATE) {
            return Err(Error::invalid("a private key stands where a public one is asked for"));
        }
        let (name, hash, bytes) = parse(text).ok_or_else(no_key)?;
        check_name(name)?;
        let key = PublicKey { name: name.to_owned(), bytes };
        // Names and keys that were put together by hand show here.
        if hex(key.hash()) != hash {
            return Err(Error::invalid(format!("the key of {name} is damaged: its hash is not {hash}")));
        }
        Ok(key)
    }

    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells keys of one name apart; it is too short to stand for the key.
    pub fn hash(&self) -> [u8; 4] {
        key_hash(&self.name, &self.bytes)
    }

    /// Whether this is the key's signature of a text.
    pub(crate) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(&self.name, self.hash(), &self.bytes))
    }
}

impl PrivateKey {
    /// A new key, from the system's randomness.
    ///
    /// # Errors
    /// A name that cannot be one; a system that has no randomness.
    pub fn generate(name: &str) -> Result<Self, Error> {
        let no_randomness = |_| Error::new(crate::Kind::Retry, "the system gives no randomness for a key");
        let pair = Ed25519KeyPair::generate().map_err(no_randomness)?;
        let seed = pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(no_randomness)?;
        PrivateKey::from_seed(name, seed.as_ref())
    }

    /// The key of a seed of 32 bytes.
    ///
    /// # Errors
    /// A name that cannot be one; a seed of another length.
    pub fn from_seed(name: &str, seed: &[u8]) -> Result<Self, Error> {
        check_name(name)?;
        let no_seed = || Error::invalid("the seed of a key has 32 bytes");
        let seed: [u8; KEY_BYTES] = seed.try_into().map_err(|_| no_seed())?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| no_seed())?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| no_seed())?;
        Ok(PrivateKey { public: PublicKey { name: name.to_owned(), bytes }, seed, pair })
    }

    /// Reads `PRIVATE+KEY+NAME+HASH+BASE64`.
    ///
    /// # Errors
    /// Of kind `Invalid` for anything else; the text is not repeated.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let no_key = || Error::invalid("not a private key: PRIVATE+KEY+NAME+HASH+BASE64 is one");
        let (name, hash, seed) = text.strip_prefix(PRIVATE).and_then(parse).ok_or_else(no_key)?;
        let key = PrivateKey::from_seed(name, &seed)?;
        if hex(key.public.hash()) != hash {
            return Err(Error::invalid(format!("the key of {name} is damaged: its hash is not {hash}")));
        }
        Ok(key)
    }

    /// What others check its signatures with.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of a text: 64 bytes, the same each time.
    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }

    fn text(&self) -> String {
        format!("{PRIVATE}{}", key_text(&self.public.name, self.public.hash(), &self.seed))
    }

    /// Writes the key into a file that only its owner may read, and the public key beside it, under
    /// the same name with `.pub` after it, which is returned.
    ///
    /// # Errors
    /// Nothing is replaced: a file of either name is an error of kind `Invalid`, and nothing is written.
    pub fn write(&self, path: &Path) -> Result<PathBuf, Error> {
        let public_path = public_path(path);
        if let Some(there) = [path, &public_path].into_iter().find(|path| fs::symlink_metadata(path).is_ok())
        {
            return Err(Error::invalid(format!("{} is there already: no key is replaced", there.display())));
        }
        write_new(path, 0o600, &self.text())?;
        if let Err(error) = write_new(&public_path, 0o644, &self.public.to_string()) {
            // Half a pair is of no use, and would be in the way of the next try.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(public_path)
    }

    /// Reads the key of such a file.
    ///
    /// # Errors
    /// Of kind `Invalid` when others than its owner may use the file, or when it holds no key.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        refuse_shared(&file, path)?;
        let text = read_line(file, path)?;
        PrivateKey::parse(&text)
            .map_err(|e| Error::with(e.kind, format!("{} holds no private key", path.display()), e))
    }
}

impl PublicKey {
    /// Reads the key of a file: of `NAME.pub`, or of the private key.
    ///
    /// # Errors
    /// Of kind `Invalid` when it holds no key, or a private one that others may read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        let text = read_line(file, path)?;
        if text.starts_with(PRIVATE) {
            return Ok(PrivateKey::read(path)?.public);
        }
        PublicKey::parse(&text)
            .map_err(|e| Error::with(e.kind, format!("{} holds no key", path.display()), e))
    }
}

fn public_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".pub");
    name.into()
}

fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).map_err(|e| Error::io("make", path, e))?;
    let written = file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|e| {
        let _ = fs::remove_file(path);
        Error::io("write", path, e)
    })
}

/// The one line of a file.
fn read_line(file: File, path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|e| Error::with(crate::Kind::Invalid, format!("{} holds no key", path.display()), e))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

#[cfg(unix)]
fn refuse_shared(file: &File, path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;

    let mode = file.metadata().map_err(|e| Error::io("look at", path, e))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let (path, mode) = (path.display(), mode & 0o777);
    Err(Error::invalid(format!(
        "{path} is a private key that others may use (mode {mode:03o}); if it is still a secret, chmod 600 {path}"
    )))
}

#[cfg(not(unix))]
fn refuse_shared(_: &File, _: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
#[path = "key_tests.rs"]
pub(crate) mod tests;
