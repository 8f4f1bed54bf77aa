//! Records that a person selected, by their positions.

use std::fs;
use std::path::Path;

use custody_schemas::Position;

use crate::error::Error;

/// The positions that a file names, in order and each once: one a line, or the column `position` of a
/// CSV file such as `cross-reference.csv`.
///
/// # Errors
/// Of kind `Invalid`: the file cannot be read, names none, or a line has what is no position.
pub fn read_positions(path: &Path) -> Result<Vec<Position>, Error> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|e| Error::invalid(format!("cannot read {shown}: {e}")))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    positions(bytes).map_err(|why| Error::invalid(format!("{shown}: {why}")))
}

fn positions(bytes: &[u8]) -> Result<Vec<Position>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let (mut column, mut positions) = (0, Vec::<Position>::new());
    for (nth, row) in reader.records().enumerate() {
        let row = row.map_err(|e| e.to_string())?;
        // The first line may say which column has them; without names there is one.
        let named = row.iter().position(|name| name.trim().eq_ignore_ascii_case("position"));
        if let (0, Some(at)) = (nth, named) {
            column = at;
            continue;
        }
        let position = row.get(column).unwrap_or_default().trim().parse();
        positions.push(position.map_err(|e| format!("line {}: {e}", line_of(&row, bytes)))?);
    }
    positions.sort_unstable();
    positions.dedup();
    if positions.is_empty() { Err("it names no position".to_owned()) } else { Ok(positions) }
}

/// The line that a row is on: the reader's own count leaves out empty lines before it.
fn line_of(row: &csv::StringRecord, bytes: &[u8]) -> usize {
    let from = row.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or(0);
    let (before, rest) = bytes.split_at(from.min(bytes.len()));
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    1 + before.iter().chain(empty).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_position_or_a_row_with_one() {
        for (text, expected) in [
            ("chat:1:0:7\nchat:1:0:5\nchat:1:0:7\n", Ok("chat:1:0:5 chat:1:0:7")),
            ("\r\nchat:1:0:10\r\n\r\n chat:1:0:9 ", Ok("chat:1:0:9 chat:1:0:10")),
            ("number,Position\nC1,chat:1:0:7\n\"C,2\",chat:1:0:5\n", Ok("chat:1:0:5 chat:1:0:7")),
            ("", Err("it names no position")),
            ("position\n", Err("it names no position")),
            ("chat:1:0:5\r\n\nchat:1:0:x\n", Err("line 3: \"chat:1:0:x\" is not a position")),
            ("number,position\nC1\n", Err("line 2: \"\" is not a position")),
            ("chat:1:0:5\n\u{1}\n", Err("line 2: ")),
        ] {
            match (positions(text.as_bytes()), expected) {
                (Ok(found), Ok(expected)) => {
                    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                    assert_eq!(found.join(" "), expected);
                }
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, _) => panic!("{text:?}: {found:?}"),
            }
        }
        assert!(positions(b"chat:1:0:5\n\xff\n").unwrap_err().contains("UTF-8"));
    }
}
