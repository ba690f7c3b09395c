//! The data folder: is it there, ours to write, whole, of this program's schema, and on a disk with room.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::Check;
use crate::admin::client::Client;
use crate::store::sqlite::{Found, OpenError, Resting, look};
use crate::words::some;

const CHECK: &str = "store";
const SUBJECT: &str = "server.data_dir";
/// Below this much free space an operator should act.
const FEW_FREE_MB: u64 = 1_024;
/// Below this much the gateway cannot keep its reserve, and refuses input.
const NO_FREE_MB: u64 = 160;

/// The checks, and whether a gateway runs on the folder; nothing when that cannot be told.
pub(super) async fn examine(folder: &Path) -> (Vec<Check>, Option<bool>) {
    let owned = folder.to_owned();
    let looked = tokio::task::spawn_blocking(move || {
        let mut checks = vec![writable(&owned)];
        let found = look(&owned);
        checks.push(free(&owned));
        (checks, found)
    });
    let Ok((mut checks, found)) = looked.await else {
        let next = "please report it";
        return (vec![Check::failed(CHECK, SUBJECT, "looking at it failed inside Cordboard", next)], None);
    };
    let (check, is_running) = match found {
        Ok(Found::Nothing) if folder.exists() && rustix::fs::access(folder, Access::EXEC_OK).is_err() => {
            (Check::skipped(CHECK, SUBJECT, "this user may not look into the folder"), None)
        }
        Ok(Found::Nothing) => {
            (Check::ok(CHECK, SUBJECT, "there is no store yet; the first start makes it"), Some(false))
        }
        Ok(Found::Running) => (running(folder).await, Some(true)),
        Ok(Found::Resting(resting)) => (resting_check(&resting), Some(false)),
        Err(OpenError::Sqlite(error)) => {
            (Check::failed(CHECK, SUBJECT, format!("SQLite: {error}"), DAMAGED), Some(false))
        }
        Err(error) => {
            let next = "run the doctor as the user who runs the gateway";
            (Check::failed(CHECK, SUBJECT, error.to_string(), next), None)
        }
    };
    checks.insert(1, check);
    (checks, is_running)
}

const DAMAGED: &str = "keep a copy of the whole folder, and put back the last backup; what follows it is lost";

fn resting_check(resting: &Resting) -> Check {
    let Resting { schema, newest, bytes, damage } = resting;
    if let Some(damage) = damage {
        return Check::failed(CHECK, SUBJECT, format!("the database is damaged: {damage}"), DAMAGED);
    }
    if schema > newest {
        let found = format!("a newer Cordboard wrote it (schema {schema}, this one knows {newest})");
        return Check::failed(CHECK, SUBJECT, found, "start that version again");
    }
    let next = if schema < newest { "; the next start brings it to this version" } else { "" };
    let found = format!("whole, schema {schema}, {} KB; no gateway runs on it{next}", bytes.div_ceil(1024));
    Check::ok(CHECK, SUBJECT, found)
}

async fn running(folder: &Path) -> Check {
    let Some(client) = Client::connect(folder).await else {
        let next = "run the doctor as the user who runs the gateway; if it is just starting or stopping, ask again";
        return Check::warning(CHECK, SUBJECT, "a gateway holds it, and its admin socket does not answer us", next);
    };
    match client.counts().await {
        Ok(counts) => {
            let found = format!(
                "a gateway runs on it: {} open, {} since its start",
                some(counts.open_requests, "request"),
                some(counts.letters, "dead letter")
            );
            Check::ok(CHECK, SUBJECT, found)
        }
        Err(error) => Check::warning(CHECK, SUBJECT, format!("a gateway holds it: {error}"), "look into its log"),
    }
}

fn writable(folder: &Path) -> Check {
    const CHECK: &str = "folder";
    let there = nearest(folder);
    let shown = there.display();
    let owner = there.metadata().map(|metadata| metadata.uid());
    let us = rustix::process::geteuid().as_raw();
    match tempfile::Builder::new().prefix(".doctor-").tempfile_in(&there) {
        Err(error) => {
            let next = "make it the property of the user who runs the gateway, or name another one in `data_dir`";
            Check::failed(CHECK, SUBJECT, format!("{shown} cannot be written: {error}"), next)
        }
        Ok(_) if there == folder && owner.is_ok_and(|owner| owner != us) => {
            let next = "run the doctor as the user who runs the gateway, to see what that user may";
            Check::warning(CHECK, SUBJECT, format!("{shown} belongs to another user than ours"), next)
        }
        Ok(_) if there == folder => Check::ok(CHECK, SUBJECT, format!("{shown} can be written")),
        Ok(_) => Check::ok(CHECK, SUBJECT, format!("it is not there yet; {shown} can be written")),
    }
}

fn free(folder: &Path) -> Check {
    const CHECK: &str = "disk";
    let there = nearest(folder);
    let free_mb = match rustix::fs::statvfs(&there) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024),
        Err(error) => return Check::skipped(CHECK, SUBJECT, format!("its free space cannot be asked for: {error}")),
    };
    let found = format!("{free_mb} MB are free");
    let next = "free some space, or move the folder to a larger disk";
    match free_mb {
        0..NO_FREE_MB => Check::failed(CHECK, SUBJECT, format!("{found}: input is refused"), next),
        NO_FREE_MB..FEW_FREE_MB => Check::warning(CHECK, SUBJECT, found, next),
        _ => Check::ok(CHECK, SUBJECT, found),
    }
}

/// The folder, or the nearest one above it that is there.
fn nearest(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or_else(|| Path::new("."));
    if there.as_os_str().is_empty() { PathBuf::from(".") } else { there.to_owned() }
}
