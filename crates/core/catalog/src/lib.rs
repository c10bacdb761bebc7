//! Nodes, services and instances, and the views that the faces read.
