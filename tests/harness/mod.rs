//! What the fuzz targets, the smoke test and the random run share: each takes any bytes, makes a run
//! or an input of them, and panics only if a promise is broken.

mod draw;
mod grammar;
pub mod inputs;
pub mod lua;
mod puppet;
pub mod traps;

pub use draw::Draw;
