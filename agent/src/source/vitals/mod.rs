//! The numbers that move all the time. They are looked at with every check-in, so nothing here
//! may cost more than reading a few small files.

mod linux;
mod parse;
mod times;

pub use linux::vitals;

#[cfg(test)]
mod tests;
