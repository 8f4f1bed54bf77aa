//! The checked-in schemas are what the types generate.

use std::fs;
use std::path::Path;

/// `UPDATE_SCHEMAS=1 cargo test -p custody-schemas` writes them anew.
#[test]
fn checked_in_schemas_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    for (name, text) in custody_schemas::contract::files() {
        let path = root.join(&name);
        if update {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let on_disk = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            on_disk == text,
            "{name} is not what the types generate; run UPDATE_SCHEMAS=1 cargo test -p custody-schemas"
        );
    }
}
