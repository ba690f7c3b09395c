//! What an address must be like to be called by an engine.

use http::Uri;

/// Checks that an address can be called: absolute, over HTTP, without credentials and fragment.
///
/// # Errors
///
/// What is wrong with it, without quoting it: it may hold what is secret.
pub(super) fn check(url: &str, credentials_belong_in: &'static str) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| "this is not an address")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("an address starts with https:// or http://".to_owned());
    }
    let authority = uri.authority().ok_or("the address has no host")?;
    if authority.host().is_empty() {
        return Err("the address has no host".to_owned());
    }
    if authority.as_str().contains('@') {
        return Err(format!("credentials do not belong in the address; use `{credentials_belong_in}`"));
    }
    if url.contains('#') {
        return Err("an address that is called has no fragment (`#…`)".to_owned());
    }
    Ok(())
}
