//! The one binary, called as an operator, a bot's author or a service manager calls it.

#[cfg(test)]
mod called;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod first_hour;
#[cfg(test)]
mod letters;
#[cfg(test)]
mod linted;
#[cfg(test)]
mod migrating;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod pushing;
#[cfg(test)]
mod reloading;
#[cfg(test)]
mod set_up;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod told;
#[cfg(test)]
mod typed;
