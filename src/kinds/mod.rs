//! The kinds of stages. Each file is thin: ports, parameters, and a call into `ml`.
