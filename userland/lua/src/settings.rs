use hothouse_abi::Span;

/// What a [`LuaHost`](crate::LuaHost) allows its programs.
///
/// ```
/// use hothouse_lua::LuaSettings;
/// let settings = LuaSettings { processes_per_state: 1, ..LuaSettings::default() };
/// assert_eq!(settings.instruction_budget, Some(100_000_000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LuaSettings {
    /// Bytes that all processes of one Lua state may use together. The process whose step reaches
    /// the limit ends with "not enough memory".
    pub memory_per_state: usize,
    /// How many processes share a Lua state: 1 to 100,000, other numbers count as the nearest.
    pub processes_per_state: usize,
    /// VM instructions that a process may run between two traps; more end it. `None` is no limit.
    /// Counted by the hook's period.
    pub instruction_budget: Option<u64>,
    /// Virtual time that a VM instruction takes. Charged once a hook period.
    pub time_per_instruction: Span,
    /// VM instructions between two looks at the budget and the time; 0 counts as 1.
    pub hook_period: u32,
    /// Whether each process gets a Lua state of its own.
    pub isolate: bool,
}

impl LuaSettings {
    /// The most processes that share a Lua state.
    pub const MAX_PROCESSES_PER_STATE: usize = 100_000;

    /// How many processes share a state, with `isolate` taken into account.
    pub(crate) fn sharers(&self) -> usize {
        if self.isolate {
            1
        } else {
            self.processes_per_state.clamp(1, Self::MAX_PROCESSES_PER_STATE)
        }
    }

    /// Whether Lua's count hook is needed at all: it slows the VM down.
    pub(crate) fn needs_hook(&self) -> bool {
        self.instruction_budget.is_some() || !self.time_per_instruction.is_zero()
    }
}

impl Default for LuaSettings {
    fn default() -> Self {
        LuaSettings {
            memory_per_state: 1 << 30,
            processes_per_state: 20_000,
            instruction_budget: Some(100_000_000),
            time_per_instruction: Span::ZERO,
            hook_period: 1_000,
            isolate: false,
        }
    }
}
