//! The wire forms against fixtures, hostile bodies and the platform's limits.

mod fixture;
mod hostile;
mod lenience;
mod limits;
mod written;
