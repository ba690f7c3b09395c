//! The regions of Genesys Cloud and their hosts.
//!
//! Source: `reference/open-messaging-and-platform-api.md`, section 2.1. New regions appear about once a year, so whoever
//! holds the configuration should offer plain base addresses beside this table.

use std::fmt;

/// One region of the platform: a domain with its API and login hosts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Region(&'static Row);

#[derive(PartialEq, Eq)]
struct Row {
    aws: &'static str,
    domain: &'static str,
    api: &'static str,
    login: &'static str,
}

macro_rules! rows {
    ($($aws:literal $domain:literal,)+) => {
        &[$(Row {
            aws: $aws,
            domain: $domain,
            api: concat!("https://api.", $domain),
            login: concat!("https://login.", $domain),
        }),+]
    };
}

static ROWS: &[Row] = rows![
    "us-east-1" "mypurecloud.com",
    "us-east-2" "use2.us-gov-pure.cloud",
    "us-west-2" "usw2.pure.cloud",
    "ca-central-1" "cac1.pure.cloud",
    "mx-central-1" "mxc1.pure.cloud",
    "sa-east-1" "sae1.pure.cloud",
    "eu-west-1" "mypurecloud.ie",
    "eu-west-2" "euw2.pure.cloud",
    "eu-central-1" "mypurecloud.de",
    "eu-central-2" "euc2.pure.cloud",
    "eusc-de-east-1" "edee1.eusc-pure.cloud",
    "me-central-1" "mec1.pure.cloud",
    "ap-northeast-1" "mypurecloud.jp",
    "ap-northeast-2" "apne2.pure.cloud",
    "ap-northeast-3" "apne3.pure.cloud",
    "ap-south-1" "aps1.pure.cloud",
    "ap-southeast-1" "apse1.pure.cloud",
    "ap-southeast-2" "mypurecloud.com.au",
];

/// Longest input that is compared and repeated in an error, in characters.
const NAME_LIMIT_CHARS: usize = 80;
/// How many known regions an error proposes.
const PROPOSALS: usize = 3;

impl Region {
    /// Finds a region by its domain (`mypurecloud.de`), any host or address below it (`apps.mypurecloud.de`,
    /// `https://login.euw2.pure.cloud/`), or the name of its AWS region (`eu-central-1`). Case does not matter.
    ///
    /// # Errors
    ///
    /// [`UnknownRegion`] with the nearest known names.
    pub fn parse(text: &str) -> Result<Region, UnknownRegion> {
        let host = host(text);
        ROWS.iter().find(|row| row.aws == host || is_within(&host, row.domain)).map(Region).ok_or_else(|| {
            UnknownRegion { given: host.chars().take(NAME_LIMIT_CHARS).collect(), nearest: nearest(&host) }
        })
    }

    /// All known regions.
    pub fn all() -> impl Iterator<Item = Region> {
        ROWS.iter().map(Region)
    }

    /// The domain, such as `euw2.pure.cloud`.
    #[must_use]
    pub fn domain(self) -> &'static str {
        self.0.domain
    }

    /// The name of the AWS region, such as `eu-west-2`.
    #[must_use]
    pub fn aws_region(self) -> &'static str {
        self.0.aws
    }

    /// Where the platform's API answers, without a slash at the end: `https://api.euw2.pure.cloud`.
    #[must_use]
    pub fn api_base(self) -> &'static str {
        self.0.api
    }

    /// Where tokens are fetched, without a slash at the end: `https://login.euw2.pure.cloud`.
    #[must_use]
    pub fn login_base(self) -> &'static str {
        self.0.login
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Region").field(&self.0.domain).finish()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.domain)
    }
}

/// No region is known under this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no known Genesys Cloud region; the nearest are {}", nearest.join(", "))]
pub struct UnknownRegion {
    /// The host that was looked up, shortened to a bounded length.
    pub given: String,
    /// The domains that look most like it, the most alike first.
    pub nearest: Vec<&'static str>,
}

/// The host of an address, or the text itself when it is no address.
fn host(text: &str) -> String {
    let text = text.trim();
    let address = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = address.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn nearest(host: &str) -> Vec<&'static str> {
    let given: Vec<char> = host.chars().take(NAME_LIMIT_CHARS).collect();
    // `euw2` and `eu-west-2.pure.cloud` are typical slips, so both names of a region are compared, and the first label.
    let distance_to = |row: &Row| {
        let label = row.domain.split('.').next().unwrap_or_default();
        [row.domain, row.aws, label].into_iter().map(|name| distance(&given, name)).min().unwrap_or(usize::MAX)
    };
    let mut ranked: Vec<(usize, &'static str)> = ROWS.iter().map(|row| (distance_to(row), row.domain)).collect();
    ranked.sort();
    ranked.into_iter().take(PROPOSALS).map(|(_, domain)| domain).collect()
}

/// The number of single-character edits between two names.
fn distance(given: &[char], name: &str) -> usize {
    let mut previous: Vec<usize> = (0..=given.len()).collect();
    for (row, expected) in name.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, found) in given.iter().enumerate() {
            let replaced = previous[column] + usize::from(*found != expected);
            current.push(replaced.min(previous[column + 1] + 1).min(current[column] + 1));
        }
        previous = current;
    }
    previous[given.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_region_however_it_is_written() {
        let cases = [
            ("mypurecloud.de", "https://api.mypurecloud.de"),
            ("apps.mypurecloud.de", "https://api.mypurecloud.de"),
            ("https://login.euw2.pure.cloud", "https://api.euw2.pure.cloud"),
            ("https://apps.mypurecloud.com.au:443/directory/#/", "https://api.mypurecloud.com.au"),
            (" EU-Central-1 ", "https://api.mypurecloud.de"),
            ("us-east-1", "https://api.mypurecloud.com"),
            ("api.use2.us-gov-pure.cloud.", "https://api.use2.us-gov-pure.cloud"),
        ];
        for (text, api) in cases {
            assert_eq!(Region::parse(text).map(Region::api_base), Ok(api), "{text}");
        }
        assert_eq!(Region::parse("mypurecloud.jp").unwrap().login_base(), "https://login.mypurecloud.jp");
    }

    #[test]
    fn every_region_is_found_by_all_its_names() {
        for region in Region::all() {
            for name in [region.domain(), region.aws_region(), region.api_base(), region.login_base()] {
                assert_eq!(Region::parse(name), Ok(region), "{name}");
            }
        }
    }

    #[test]
    fn a_foreign_host_is_never_taken_for_a_region() {
        let hosts = [
            "",
            "pure.cloud",
            "notmypurecloud.com",
            "mypurecloud.com.attacker.example",
            "https://mypurecloud.com@attacker.example/",
            "https://attacker.example/apps.mypurecloud.com",
            "https://attacker.example#.mypurecloud.com",
            "https://attacker.example\\.mypurecloud.com",
        ];
        for host in hosts {
            assert!(Region::parse(host).is_err(), "{host}");
        }
    }

    #[test]
    fn an_unknown_region_names_the_nearest() {
        let cases =
            [("mypurecloud.dee", "mypurecloud.de"), ("euw2", "euw2.pure.cloud"), ("eu-west2", "euw2.pure.cloud")];
        for (slip, meant) in cases {
            let error = Region::parse(slip).unwrap_err();
            assert_eq!(error.nearest[0], meant, "{error}");
        }
        let error = Region::parse(&"x".repeat(100_000)).unwrap_err();
        assert_eq!((error.given.len(), error.nearest.len()), (80, 3));
    }
}
