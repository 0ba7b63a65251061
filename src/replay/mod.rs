//! A transcript as a module: it answers a host as the recorded module answered the recorded host, so that a log of the field
//! becomes a test. Made from any file of the transcript's form (`transcript`), not only our own.
//!
//! `script` cuts the file, `player` answers by it, without IO and clock; [`ReplayModule`] puts it on a line. It knows neither
//! the engine nor the virtual module: what it says was said before.

mod clock;
mod cutter;
mod echo;
mod effect;
mod heard;
mod manners;
mod module;
mod pattern;
mod player;
mod prompts;
mod report;
mod script;

pub use effect::Effect;
pub use module::ReplayEndpoint;
pub use module::ReplayModule;
pub use module::ReplayState;
pub use player::Player;
pub use player::ReplayOptions;
pub use report::Mismatch;
pub use report::Wrong;
pub use script::Answer;
pub use script::Exchange;
pub use script::Said;
pub use script::Script;
pub use script::Typed;
