//! What leaves, looked at as a collector sees it.

use std::time::Duration;
