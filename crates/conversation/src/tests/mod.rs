//! The core's tests: stories told as tables of event and effects, and random walks against a simple model.

mod late_answers;
mod listed;
mod merging;
mod opening;
mod service;
mod sessions;
mod story;
mod turns;
mod walk;
