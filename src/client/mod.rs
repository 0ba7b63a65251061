//! State of the clients inside a module, as far as its lines tell it. No lock, no thread: the engine puts those around it.

pub mod state;

pub use state::ClientState;
