//! What happens by itself: each job is a function of the app and the time.

pub mod evaluate;
