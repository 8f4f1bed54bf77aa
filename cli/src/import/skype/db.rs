//! Reading the tables: each row with all its columns, whatever version of Skype wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

use super::SkypeError;

/// A row: its columns that are not null.
#[derive(Debug, Default, Clone)]
pub(super) struct Row(BTreeMap<String, Value>);

impl Row {
    /// A number; a text that is one counts.
    pub(super) fn int(&self, column: &str) -> Option<i64> {
        match self.0.get(column)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        self.0.get(column)?.as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn id(&self) -> i64 {
        self.int("id").unwrap_or(0)
    }

    /// Words of a list that Skype separates by spaces.
    pub(super) fn words(&self, column: &str) -> impl Iterator<Item = &str> {
        self.text(column).into_iter().flat_map(str::split_whitespace)
    }

    /// All columns but those that the event holds word for word.
    pub(super) fn without(&self, columns: &[&str]) -> Map<String, Value> {
        let kept = self.0.iter().filter(|(name, _)| !columns.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    tables: BTreeSet<String>,
}

impl Database {
    /// Opens without writing anything, not even beside the file: it may be evidence.
    pub(super) fn open(path: &Path) -> Result<Database, SkypeError> {
        let error = |error: rusqlite::Error| SkypeError::Open { path: path.to_owned(), error };
        unfinished(path)?;
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(uri(path), flags).map_err(error)?;
        let mut statement =
            connection.prepare("select name from sqlite_master where type = 'table'").map_err(error)?;
        let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(error)?;
        let tables = names.collect::<Result<_, _>>().map_err(error)?;
        drop(statement);
        Ok(Database { connection, tables })
    }

    pub(super) fn tables(&self) -> &BTreeSet<String> {
        &self.tables
    }

    /// All rows by id; none of a table that this version of Skype did not have.
    pub(super) fn rows(&self, table: &'static str) -> Result<Vec<Row>, SkypeError> {
        if !self.tables.contains(table) {
            return Ok(Vec::new());
        }
        let error = |error| SkypeError::Read { table: table.to_owned(), error };
        let mut statement =
            self.connection.prepare(&format!("select * from {table} order by id")).map_err(error)?;
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query([]).map_err(error)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(error)? {
            let mut fields = BTreeMap::new();
            for (n, column) in columns.iter().enumerate() {
                if let Some(value) = json(row.get_ref(n).map_err(error)?) {
                    fields.insert(column.clone(), value);
                }
            }
            all.push(Row(fields));
        }
        Ok(all)
    }

    /// Rows of a table that is not read.
    pub(super) fn count(&self, table: &str) -> Result<u64, SkypeError> {
        let error = |error| SkypeError::Read { table: table.to_owned(), error };
        let sql = format!("select count(*) from \"{}\"", table.replace('"', "\"\""));
        let count = self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(error)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// Bytes and texts that are not UTF-8 become hexadecimal.
fn json(value: ValueRef<'_>) -> Option<Value> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.into()),
        ValueRef::Real(number) => Some(number.into()),
        ValueRef::Blob(bytes) => Some(hex(bytes).into()),
        ValueRef::Text(bytes) => {
            Some(std::str::from_utf8(bytes).map_or_else(|_| hex(bytes).into(), Value::from))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `immutable` lets SQLite read in a folder where nobody may write.
fn uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?mode=ro&immutable=1"
}

/// The first bytes of a journal that was not rolled back (SQLite file format, section 3).
const JOURNAL_MAGIC: [u8; 8] = [0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7];

/// An immutable database is read without its journal: rows that are only there would be
/// missing, or half of a transaction would be read.
fn unfinished(path: &Path) -> Result<(), SkypeError> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (wal, journal) = (beside("-wal"), beside("-journal"));
    if std::fs::metadata(&wal).is_ok_and(|file| file.len() > 0) {
        return Err(SkypeError::Unfinished { beside: wal });
    }
    let mut head = [0; JOURNAL_MAGIC.len()];
    let hot =
        File::open(&journal).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == JOURNAL_MAGIC;
    if hot { Err(SkypeError::Unfinished { beside: journal }) } else { Ok(()) }
}
