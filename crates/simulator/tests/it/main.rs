//! The simulator from outside, against connectors written by hand.

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod connector;
#[cfg(test)]
mod control;
#[cfg(test)]
mod files;
#[cfg(test)]
mod v1;
#[cfg(test)]
mod v2;
