//! The L7 and L4 data path: listeners, connections, pools, drain. Every decision is asked of core.
