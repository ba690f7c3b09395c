//! The socket and the tokens in the data folder, all for its owner alone unless its group may read. None is ever there
//! with wider permissions than it ends with: each is made under another name and moved to its own when it is ready.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::{UnixListener, UnixStream};

use super::Role;

const SOCKET: &str = "admin.sock";
const OPERATE_TOKEN: &str = "admin.token";
const READ_TOKEN: &str = "read.token";
const OWNER_ONLY: u32 = 0o600;
const TOKEN_BYTES: usize = 32;
/// The system takes 107 bytes on Linux and 103 elsewhere; a draft's name is not longer than the socket's.
const SOCKET_PATH_MAX_BYTES: usize = 100;

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

/// The files of this run; gone when it is dropped.
pub(super) struct Files {
    folder: PathBuf,
}

/// What whoever shows a token may do.
pub(super) struct Tokens {
    pub(super) operate: SecretString,
    pub(super) read: SecretString,
}

pub(super) fn read_token(data_dir: &Path, role: Role) -> io::Result<SecretString> {
    let name = match role {
        Role::Operate => OPERATE_TOKEN,
        Role::Read => READ_TOKEN,
    };
    fs::read_to_string(data_dir.join(name)).map(|text| SecretString::from(text.trim().to_owned()))
}

pub(super) async fn connect(data_dir: &Path) -> io::Result<UnixStream> {
    let (path, _folder) = reachable(&data_dir.join(SOCKET))?;
    UnixStream::connect(path).await
}

/// A path by which a socket can be bound or reached. One that is too long for the system leads through the open folder
/// instead, which must stay open meanwhile.
fn reachable(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok((path.to_owned(), None)) };
    if path.as_os_str().as_bytes().len() <= SOCKET_PATH_MAX_BYTES || !cfg!(target_os = "linux") {
        return Ok((path.to_owned(), None));
    }
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok((short, Some(folder)))
}

impl Files {
    /// The tokens first: whoever finds the socket finds its token.
    pub(super) fn create(data_dir: &Path) -> Result<(Self, UnixListener, Tokens), Error> {
        let files = Self { folder: data_dir.to_owned() };
        let tokens = Tokens { operate: random_token()?, read: random_token()? };
        make(&data_dir.join(OPERATE_TOKEN), |path| write_token(path, &tokens.operate))?;
        make(&data_dir.join(READ_TOKEN), |path| write_token(path, &tokens.read))?;
        let listener = make(&data_dir.join(SOCKET), |path| {
            let (reachable, _folder) = reachable(path)?;
            let listener = UnixListener::bind(reachable)?;
            fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
            Ok(listener)
        })?;
        Ok((files, listener, tokens))
    }

    /// Lets the group of the folder reach the socket and read the token of the role read; and nothing else, though it may
    /// enter the folder now.
    pub(super) fn let_group_read(&self) -> Result<(), Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| Error::File { path, error }
        };
        for entry in fs::read_dir(&self.folder).map_err(failed(&self.folder))? {
            let entry = entry.map_err(failed(&self.folder))?;
            let path = entry.path();
            let metadata = entry.metadata().map_err(failed(&path))?;
            let mode = metadata.permissions().mode() & 0o777;
            let allowed = match entry.file_name().to_str() {
                Some(SOCKET) => 0o660,
                Some(READ_TOKEN) => 0o640,
                _ => mode & 0o700,
            };
            // What a link leads to lies elsewhere, and what is closed already may be another's (`lost+found`).
            if metadata.is_symlink() || mode == allowed {
                continue;
            }
            fs::set_permissions(&path, Permissions::from_mode(allowed)).map_err(failed(&path))?;
        }
        let mode = fs::metadata(&self.folder).map_err(failed(&self.folder))?.permissions().mode();
        fs::set_permissions(&self.folder, Permissions::from_mode(mode & 0o7700 | 0o010)).map_err(failed(&self.folder))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in [SOCKET, OPERATE_TOKEN, READ_TOKEN].map(|name| self.folder.join(name)) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %path.display(), "a file of the admin API could not be removed");
                }
                Ok(()) | Err(_) => {}
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
