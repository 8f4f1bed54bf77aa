//! How a command ends.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not succeed, with its exit code.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// The job failed: exit code 1.
    pub fn failed(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), code: 1 }
    }

    /// The command, the settings or the query are wrong: exit code 2.
    pub fn usage(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), code: 2 }
    }

    /// The check was made and found something wrong: exit code 3.
    pub fn unsound(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), code: 3 }
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<custody_archive::Error> for Failure {
    fn from(error: custody_archive::Error) -> Self {
        match error.kind {
            custody_archive::Kind::Invalid => Failure::usage(error),
            _ => Failure::failed(error),
        }
    }
}

impl From<custody_ingest::Error> for Failure {
    fn from(error: custody_ingest::Error) -> Self {
        match error.kind {
            custody_ingest::Kind::Invalid => Failure::usage(error),
            _ => Failure::failed(error),
        }
    }
}

impl From<custody_index::Error> for Failure {
    fn from(error: custody_index::Error) -> Self {
        match error.kind {
            custody_index::Kind::Invalid => Failure::usage(error),
            _ => Failure::failed(error),
        }
    }
}

impl From<custody_export::Error> for Failure {
    fn from(error: custody_export::Error) -> Self {
        match error.kind {
            custody_export::Kind::Invalid => Failure::usage(error),
            _ => Failure::failed(error),
        }
    }
}

/// What a command returns.
pub type Done = Result<(), Failure>;
