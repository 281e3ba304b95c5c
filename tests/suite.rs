//! Every suite is a module of this one test binary; the line of each says what belongs there.

// Handlers that run over a wait.
mod interrupts;
// Who may signal whom, and what each signal does by default.
mod kill;
// Actions, masks, handlers.
mod sigaction;
// Bad pointers, for programs that are to fault.
mod fault;
// Programs that do their worst.
mod hostile;
// The product of victim state, signal, action and mask.
mod signal_product;
