//! Values that stand in files of their own: `${file:/run/secrets/genesys}`. Variables call this; it opens nothing else.
//!
//! A line break at the end is not taken away. Most programs would send it along with the secret, so whoever shares the file
//! with another program would look for the mistake there; it is named here instead.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Secrets are short; a longer file is another one.
const VALUE_MAX_BYTES: u64 = 16 * 1024;
/// Read or write for those who are neither the owner nor of the group.
const FOR_EVERYBODY: u32 = 0o006;

/// A value, and what an operator should know about its file.
#[derive(Debug)]
pub(super) struct FromFile {
    pub(super) value: String,
    pub(super) warning: Option<String>,
}

/// Reads the value in a file. The message of an error quotes nothing of it.
pub(super) fn read(path: &Path) -> Result<FromFile, String> {
    let shown = path.display();
    let (bytes, metadata) = open(path).map_err(|error| cannot_be_read(path, &error))?;
    if bytes.is_empty() {
        return Err(format!("the file {shown} is empty; write the value into it: printf %s 'VALUE' > {shown}"));
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > VALUE_MAX_BYTES {
        return Err(format!(
            "the file {shown} is longer than {VALUE_MAX_BYTES} bytes; name a file that holds one value"
        ));
    }
    let value = String::from_utf8(bytes)
        .map_err(|_| format!("the file {shown} is not UTF-8 text; encode the value, for example in Base64"))?;
    if value.contains('\0') {
        return Err(format!("the file {shown} is not text; name a file that holds one value on one line"));
    }
    if let Some(wrong) = line_break(&value) {
        return Err(format!("the file {shown} {wrong}: printf %s 'VALUE' > {shown}"));
    }
    if value.trim() != value {
        return Err(format!(
            "the file {shown} begins or ends with a blank, which would be part of the value; write it again without: \
             printf %s 'VALUE' > {shown}"
        ));
    }
    let warning = (metadata.permissions().mode() & FOR_EVERYBODY != 0).then(|| {
        format!(
            "the file {shown} can be read by every user of this machine; chmod 600 it (in Kubernetes: defaultMode: 0400)"
        )
    });
    Ok(FromFile { value, warning })
}

/// Why a value with a line break is none, as the end of a sentence; a value is one line.
pub(super) fn line_break(value: &str) -> Option<&'static str> {
    if !value.contains(['\n', '\r']) {
        return None;
    }
    Some(match value.trim_end_matches(['\n', '\r']).contains(['\n', '\r']) {
        true => "has several lines, and a value has one; write it on one line",
        false => "ends in a line break, which `echo` and editors add; write it without",
    })
}

fn open(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(ErrorKind::Unsupported.into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(VALUE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes, metadata))
}

fn cannot_be_read(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!("there is no file {shown}; make it, or correct the path"),
        ErrorKind::PermissionDenied => {
            format!(
                "the file {shown} may not be read by the user of this process; give it to that user: chown USER {shown}"
            )
        }
        ErrorKind::IsADirectory => format!("{shown} is a folder; name the file in it"),
        ErrorKind::Unsupported => format!("{shown} is no plain file; name one that holds the value"),
        _ => format!("the file {shown} cannot be read: {error}"),
    }
}
