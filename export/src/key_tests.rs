use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// RFC 8032 section 7.1, tests 1 to 3 (texts that are UTF-8 or empty, and one that is not).
#[test]
fn vectors_of_rfc_8032() {
    for (seed, public, text, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let key = PrivateKey::from_seed("a", &bytes(seed)).unwrap();
        assert_eq!(key.public.bytes.to_vec(), bytes(public), "{seed}");
        let text = bytes(text);
        assert_eq!(key.pair.sign(&text).as_ref(), bytes(signature), "{seed}");
        let verified = UnparsedPublicKey::new(&ED25519, &key.public.bytes).verify(&text, &bytes(signature));
        assert!(verified.is_ok(), "{seed}");
    }
}

pub(crate) const PRIVATE_TEXT: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
pub(crate) const PUBLIC_TEXT: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SUM_GOLANG_ORG: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// Keys of the examples of Go's `sumdb/note`, and that of Go's checksum database.
#[test]
fn keys_have_the_text_form_of_others() {
    let key = PrivateKey::parse(PRIVATE_TEXT).unwrap();
    assert_eq!(key.text(), PRIVATE_TEXT);
    assert_eq!(key.public().to_string(), PUBLIC_TEXT);
    for text in [PUBLIC_TEXT, SUM_GOLANG_ORG] {
        assert_eq!(PublicKey::parse(text).unwrap().to_string(), text);
    }
    assert!(!format!("{key:?}").contains("AYEKF"), "{key:?}");
}

#[test]
fn what_is_no_key_is_refused() {
    let public = |text: &str| PublicKey::parse(text).unwrap_err().to_string();
    let private = |text: &str| PrivateKey::parse(text).unwrap_err().to_string();
    let form = "not a public key: NAME+HASH+BASE64 is one";
    for text in [
        "",
        "a",
        "a+b",
        "PeterNeumann+c74f20a3+",
        // No padding, a type that is not Ed25519, a byte too few, bits after the end.
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10",
        "PeterNeumann+c74f20a3+AhpcdQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW+",
    ] {
        assert_eq!(public(text), form, "{text}");
    }
    let damaged = "the key of Petra is damaged: its hash is not c74f20a3";
    assert_eq!(public(&PUBLIC_TEXT.replace("PeterNeumann", "Petra")), damaged);
    assert_eq!(private(&PRIVATE_TEXT.replace("PeterNeumann", "Petra")), damaged);
    assert!(public(&PUBLIC_TEXT.replace("c74f20a3", "C74F20A3")).contains("is damaged"));
    assert_eq!(public(PRIVATE_TEXT), "a private key stands where a public one is asked for");
    assert_eq!(private(PUBLIC_TEXT), "not a private key: PRIVATE+KEY+NAME+HASH+BASE64 is one");
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{7f}b", &"n".repeat(256)] {
        let refused = PrivateKey::generate(name).unwrap_err().to_string();
        assert!(refused.contains("cannot name a key"), "{refused}");
    }
}

#[test]
fn generated_keys_are_new_and_sign() {
    let (one, other) =
        (PrivateKey::generate("x.example/a").unwrap(), PrivateKey::generate("x.example/a").unwrap());
    assert_ne!(one.public(), other.public());
    let signature = one.sign("text\n");
    assert!(one.public().verifies("text\n", &signature));
    assert!(!one.public().verifies("test\n", &signature));
    assert!(!other.public().verifies("text\n", &signature));
    assert!(!one.public().verifies("text\n", &signature[..63]));
}

#[test]
fn files_of_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let key = PrivateKey::parse(PRIVATE_TEXT).unwrap();
    let public_path = key.write(&path).unwrap();
    assert_eq!(public_path, dir.path().join("key.pub"));
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{PRIVATE_TEXT}\n"));
    assert_eq!(fs::read_to_string(&public_path).unwrap(), format!("{PUBLIC_TEXT}\n"));
    assert_eq!(PrivateKey::read(&path).unwrap().text(), PRIVATE_TEXT);
    assert_eq!(PublicKey::read(&path).unwrap().to_string(), PUBLIC_TEXT);
    assert_eq!(PublicKey::read(&public_path).unwrap().to_string(), PUBLIC_TEXT);

    let refused = |path: &Path| PrivateKey::read(path).unwrap_err();
    assert_eq!(refused(&public_path).kind, crate::Kind::Invalid);
    assert_eq!(refused(&dir.path().join("none")).kind, crate::Kind::Retry);

    // Nothing is replaced, and half a pair is not left behind.
    assert!(key.write(&path).unwrap_err().to_string().contains("is there already"));
    let half = dir.path().join("half");
    fs::write(dir.path().join("half.pub"), "x").unwrap();
    assert!(key.write(&half).unwrap_err().to_string().contains("half.pub is there already"));
    assert!(!half.exists());
    assert_eq!(fs::read_to_string(dir.path().join("half.pub")).unwrap(), "x");
}

#[cfg(unix)]
#[test]
fn a_private_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    PrivateKey::parse(PRIVATE_TEXT).unwrap().write(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&dir.path().join("key.pub")) & 0o600, 0o600);
    for (mode, sound) in [(0o640, false), (0o604, false), (0o620, false), (0o400, true), (0o600, true)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let read = PrivateKey::read(&path);
        match read {
            Ok(_) => assert!(sound, "{mode:o}"),
            Err(error) => {
                assert!(!sound, "{mode:o}: {error}");
                assert!(error.to_string().contains(&format!("(mode {mode:03o})")), "{error}");
                assert!(!error.to_string().contains("AYEKF"), "{error}");
            }
        }
        assert_eq!(PublicKey::read(&path).is_ok(), sound, "{mode:o}");
    }
}
