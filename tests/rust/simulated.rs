//! What tests on a simulated module share: a module whose echo is off, and what it says to a line.

use modemrig::dialect::Dialect;
use modemrig::dialect::catalogue;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

/// A module with its echo off, which has said nothing yet.
pub fn quiet(options: &VirtualOptions) -> SimulatedModule {
    let mut module = SimulatedModule::new(options).expect("options that can be");
    module.host(b"ATE0\r");
    module.take_output();
    module
}

/// The documented profile of a dialect.
pub fn module(dialect: &str) -> SimulatedModule {
    quiet(&VirtualOptions::new(dialect))
}

/// The same for each dialect.
pub fn everywhere(mut test: impl FnMut(&'static Dialect, &mut SimulatedModule)) {
    for dialect in catalogue().dialects() {
        test(dialect, &mut module(&dialect.id));
    }
}

/// Whether its commands are Quectel's.
pub fn is_quectel(dialect: &Dialect) -> bool {
    dialect.command("AT+QMTOPEN").is_some()
}

/// What is said to a line: the lines that are not empty, joined by `|`.
pub fn said(module: &mut SimulatedModule, line: &str) -> String {
    let answer = module.ask(line, 0.1);
    answer.split("\r\n").filter(|line| !line.is_empty()).collect::<Vec<_>>().join("|")
}

/// Whether a text is what `*` leaves open.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|head| text.strip_prefix(head)) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
