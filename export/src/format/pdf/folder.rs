//! A folder of fonts that somebody gives for what the built-in ones lack.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use custody_schemas::Hash;
use skrifa::raw::{FileRef, TableProvider};

use super::face::Face;
use crate::error::Error;
use crate::request::FontFile;
use crate::settings::FONTS_BYTES_MAX;

/// The fonts of a folder, in the order of their files' names.
pub(super) struct Folder {
    pub(super) files: Vec<FontFile>,
    pub(super) faces: Vec<Face>,
}

/// The font files of a folder, in the order of their names, as a request for a PDF names them.
///
/// A file that is no font, or one that may not be put into documents, is an error.
pub fn font_files(folder: &Path) -> Result<Vec<FontFile>, Error> {
    Folder::read(folder).map(|folder| folder.files)
}

impl Folder {
    /// Reads all of it.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let failed = |e| Error::io("read", folder, e);
        if !folder.is_dir() {
            return Err(Error::invalid(format!("there is no folder of fonts at {}", folder.display())));
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        let (mut files, mut faces, mut room) = (Vec::new(), Vec::new(), FONTS_BYTES_MAX);
        for path in paths {
            let bytes = fs::metadata(&path).map_err(|e| Error::io("read", &path, e))?.len();
            room = room.checked_sub(bytes).ok_or_else(|| {
                Error::invalid(format!(
                    "the fonts in {} have more than {FONTS_BYTES_MAX} bytes together: keep those that are needed",
                    folder.display()
                ))
            })?;
            let (file, of_file) = font(&path)?;
            files.push(file);
            faces.extend(of_file);
        }
        if files.is_empty() {
            return Err(Error::invalid(format!("there are no fonts in {}", folder.display())));
        }
        Ok(Folder { files, faces })
    }
}

/// Tables with outlines.
const OUTLINES: [&[u8; 4]; 3] = [b"glyf", b"CFF ", b"CFF2"];

fn font(path: &Path) -> Result<(FontFile, Vec<Face>), Error> {
    let no = |what: &str| Error::invalid(format!("{} {what}", path.display()));
    if !path.is_file() {
        return Err(no("is no file: a folder of fonts has font files and nothing else"));
    }
    let name =
        path.file_name().and_then(|name| name.to_str()).ok_or_else(|| no("has a name that is no UTF-8"))?;
    let bytes = Arc::new(fs::read(path).map_err(|e| Error::io("read", path, e))?);
    let none = "is no font that can be used: TrueType and OpenType fonts and collections of them can";
    let mut faces = Vec::new();
    let fonts = FileRef::new(&bytes).map_err(|_| no(none))?.fonts();
    for (index, parsed) in (0..).zip(fonts) {
        let parsed = parsed.map_err(|_| no(none))?;
        let tables = parsed.table_directory().table_records();
        if !tables.iter().any(|table| OUTLINES.contains(&&table.tag().to_be_bytes())) {
            return Err(no("has no outlines, only pictures: give one with outlines"));
        }
        // Restricted License embedding, and no other permission (OpenType, OS/2, fsType).
        if parsed.os2().is_ok_and(|os2| os2.fs_type() & 0xf == 2) {
            return Err(no("says of itself that it must not be put into documents: give another one"));
        }
        if parsed.glyf().is_err() && parsed.cff().is_err() && parsed.cff2().is_err() {
            return Err(no(none));
        }
        faces.push(Face::new(bytes.clone().into(), index).ok_or_else(|| no(none))?);
    }
    let file = FontFile { name: name.to_owned(), sha256: Hash::of(&bytes) };
    Ok((file, faces))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &[u8])], expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, bytes)| fs::write(dir.path().join(name), bytes).unwrap());
        let told = match font_files(dir.path()) {
            Ok(files) => files.iter().map(|file| format!("{} {};", file.name, file.sha256)).collect(),
            Err(error) => error.to_string(),
        };
        assert!(told.ends_with(expected), "{told}");
    }

    #[test]
    fn fonts_are_taken_in_order_of_their_names_and_nothing_else_is() {
        let (one, two) = (dejavu::sans::regular(), dejavu::serif::regular());
        let named = format!("a.ttf {};b.ttf {};", Hash::of(two), Hash::of(one));
        check(&[("b.ttf", one), ("a.ttf", two)], &named);
        let dir = tempfile::tempdir().unwrap();
        let none = font_files(dir.path()).unwrap_err().to_string();
        assert!(none.starts_with("there are no fonts in "), "{none}");
        check(&[("a.ttf", one), ("readme.txt", b"hello")], "collections of them can");
        check(&[("a.ttf", &one[..9_000])], "collections of them can");
        let restricted = {
            let mut bytes = one.to_vec();
            let at = bytes.windows(4).position(|tag| tag == b"OS/2").unwrap();
            let table = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
            bytes[table + 8..table + 10].copy_from_slice(&2_u16.to_be_bytes());
            bytes
        };
        check(&[("a.ttf", &restricted)], "give another one");
    }

    #[test]
    fn what_is_no_folder_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let missing = font_files(&dir.path().join("none")).unwrap_err().to_string();
        assert!(missing.starts_with("there is no folder of fonts at "), "{missing}");
        fs::create_dir(dir.path().join("sub")).unwrap();
        let sub = font_files(dir.path()).unwrap_err().to_string();
        assert!(sub.ends_with("font files and nothing else"), "{sub}");
    }
}
