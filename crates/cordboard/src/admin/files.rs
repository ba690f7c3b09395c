//! The socket and the token in the data folder, both for its owner alone. Neither is ever there with wider permissions:
//! each is made under another name and moved to its own when it is ready.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::UnixListener;

const SOCKET: &str = "admin.sock";
const TOKEN: &str = "admin.token";
const OWNER_ONLY: u32 = 0o600;
const TOKEN_BYTES: usize = 32;

/// Why the admin API cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refuses.
    #[error("{path}: {error}; a socket's path may have about 100 bytes, and the folder must be writable", path = path.display())]
    File {
        /// What was to be made.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// No randomness.
    #[error("the operating system gives no random bytes for the admin token")]
    Random,
}

/// The two files of this run; gone when it is dropped.
pub(super) struct Files {
    socket: PathBuf,
    token: PathBuf,
}

pub(super) fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join(SOCKET)
}

pub(super) fn read_token(data_dir: &Path) -> io::Result<SecretString> {
    fs::read_to_string(data_dir.join(TOKEN)).map(|text| SecretString::from(text.trim().to_owned()))
}

impl Files {
    /// The token first: whoever finds the socket finds its token.
    pub(super) fn create(data_dir: &Path) -> Result<(Self, UnixListener, SecretString), Error> {
        let files = Self { socket: socket_path(data_dir), token: data_dir.join(TOKEN) };
        let token = random_token()?;
        make(&files.token, |path| write_token(path, &token))?;
        let listener = make(&files.socket, |path| {
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
            Ok(listener)
        })?;
        Ok((files, listener, token))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in [&self.socket, &self.token] {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(%error, path = %path.display(), "a file of the admin API could not be removed");
            }
        }
    }
}

/// Makes a file under another name and moves it over whatever an earlier run left.
fn make<T>(path: &Path, at: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, Error> {
    let draft = path.with_extension("new");
    let made = match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => at(&draft).and_then(|made| fs::rename(&draft, path).map(|()| made)),
    };
    made.map_err(|error| Error::File { path: path.to_owned(), error })
}

fn write_token(path: &Path, token: &SecretString) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    writeln!(file, "{}", token.expose_secret())
}

/// From the operating system and not from the runtime's seed: this one must not be repeatable.
fn random_token() -> Result<SecretString, Error> {
    let mut bytes = [0; TOKEN_BYTES];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}
