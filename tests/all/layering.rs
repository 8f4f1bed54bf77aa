//! Dependencies point one way, and a heavy one is known to few crates.

use std::fs;

use custody_tests::root;

fn dependencies(krate: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap_or("");
    let section = section.split("\n[").next().unwrap();
    let names = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn layers() {
    let all = ["schemas", "archive", "ingest", "index", "export", "console", "cli"];
    let allowed: [(&str, &[&str]); 7] = [
        ("schemas", &[]),
        ("archive", &["schemas"]),
        ("ingest", &["archive", "schemas"]),
        ("index", &["archive", "schemas"]),
        ("export", &["index", "archive", "schemas"]),
        ("console", &["export", "index", "archive", "schemas"]),
        ("cli", &["ingest", "console", "export", "index", "archive", "schemas"]),
    ];
    for (krate, allowed) in allowed {
        for dependency in dependencies(krate) {
            let Some(ours) = dependency.strip_prefix("custody-") else { continue };
            assert!(all.contains(&ours), "{krate} depends on {dependency}, which no one knows");
            assert!(allowed.contains(&ours), "{krate} must not depend on {dependency}");
        }
    }
}

#[test]
fn heavy_dependencies_are_known_to_few_crates() {
    let owned: [(&str, &[&str]); 10] = [
        ("rdkafka", &["ingest"]),
        ("tantivy", &["index"]),
        ("delta_kernel", &["archive"]),
        ("delta_kernel_default_engine", &["archive"]),
        ("object_store", &["archive"]),
        // Productions are tables for others, too.
        ("parquet", &["archive", "export"]),
        ("axum", &["console"]),
        ("rusqlite", &["cli"]),
        ("ldap3", &["cli"]),
        ("csv", &["index", "export"]),
    ];
    for (heavy, owners) in owned {
        for krate in ["schemas", "archive", "ingest", "index", "export", "console", "cli"] {
            let has = dependencies(krate).iter().any(|name| name == heavy);
            assert_eq!(has, owners.contains(&krate), "{heavy} in {krate}");
        }
    }
}

#[test]
fn schemas_does_no_io_and_reads_no_clock() {
    let mut paths = vec![root().join("schemas/src")];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for word in ["std::fs", "std::net", "SystemTime::now", "Instant::now", "async fn", "Timestamp::now"] {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
}
