//! State of the clients inside a module, as far as its lines tell it. No lock, no thread: the engine puts those around it.

pub mod state;
pub mod window;

pub use state::ClientState;
pub use state::Outcome;
pub use window::Purpose;
pub use window::Window;
