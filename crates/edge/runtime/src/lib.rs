//! The keeper and the process driver.
