//! Which program holds a device file, from `/proc`. What other users' programs hold is visible to the superuser only.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A program that has the port open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process number.
    pub pid: u32,
    /// Its name, as `ps` shows it.
    pub program: String,
    /// It also holds a pseudo-terminal's master: probably the module at the other end, not a rival.
    pub has_the_other_end: bool,
}

/// The programs that have this device open, as far as we may look.
pub fn holders(path: &str) -> Vec<Holder> {
    let Ok(wanted) = fs::canonicalize(path) else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    let mut found: Vec<Holder> = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| holder(pid, &wanted))
        .collect();
    // Another program is the better answer than our own.
    found.sort_by_key(|holder| holder.pid == own);
    found
}

/// Whether a ModemManager runs: it opens every modem it finds.
pub fn modem_manager() -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?;
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid| program(*pid).starts_with("ModemManager"))
}

fn holder(pid: u32, wanted: &Path) -> Option<Holder> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let targets: Vec<PathBuf> = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    targets.iter().any(|target| target == wanted).then(|| Holder {
        pid,
        program: program(pid),
        has_the_other_end: wanted.starts_with("/dev/pts") && targets.iter().any(|target| target.ends_with("ptmx")),
    })
}

fn program(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).map(|name| name.trim_end().to_owned()).unwrap_or_default()
}
