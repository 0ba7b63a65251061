//! A pseudo-terminal whose other end a host opens like a serial port; the module's end of it.
//!
//! On Linux (`linux`). Other systems cannot tell when a host comes and goes: there a virtual module listens on TCP
//! (`elsewhere` says so).

#[cfg(any(not(target_os = "linux"), modemrig_portable))]
mod elsewhere;
#[cfg(all(target_os = "linux", not(modemrig_portable)))]
mod linux;

#[cfg(any(not(target_os = "linux"), modemrig_portable))]
pub use elsewhere::PtyEnd;
#[cfg(all(target_os = "linux", not(modemrig_portable)))]
pub use linux::PtyEnd;

/// What a host did with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// It opened the port.
    Opened,
    /// It closed the port; no earlier one holds it now.
    Closed,
}
