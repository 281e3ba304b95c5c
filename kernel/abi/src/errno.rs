use std::fmt;

macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// Why a call failed: POSIX names, Linux numbers, POSIX texts.
        ///
        /// ```
        /// use hothouse_abi::Errno;
        /// assert_eq!(Errno::ESRCH.number(), 3);
        /// assert_eq!(Errno::ESRCH.to_string(), "No such process");
        /// assert_eq!(Errno::ESRCH.name(), "ESRCH");
        /// assert_eq!(Errno::from_name("EPERM"), Some(Errno::EPERM));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum Errno {
            $(#[doc = $text] $name = $number,)*
        }

        impl Errno {
            /// Every errno, in order of number.
            pub const ALL: &[Errno] = &[$(Errno::$name,)*];

            /// The POSIX name, such as `"ESRCH"`.
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name),)* }
            }

            /// The POSIX text, such as `"No such process"`.
            pub const fn text(self) -> &'static str {
                match self { $(Errno::$name => $text,)* }
            }
        }
    };
}

errnos! {
    EPERM = 1, "Permission denied";
    ENOENT = 2, "No such file or directory";
    ESRCH = 3, "No such process";
    EINTR = 4, "Interrupted system call";
    EIO = 5, "Input/output error";
    ECHILD = 10, "No child processes";
    EAGAIN = 11, "Resource temporarily unavailable";
    ENOMEM = 12, "Cannot allocate memory";
    EBUSY = 16, "Device or resource busy";
    EEXIST = 17, "File exists";
    EINVAL = 22, "Invalid argument";
    EDEADLK = 35, "Resource deadlock avoided";
    ENAMETOOLONG = 36, "File name too long";
    ENOSYS = 38, "No such syscall";
    EMSGSIZE = 90, "Message too long";
    ETIMEDOUT = 110, "Connection timed out";
    EALREADY = 114, "Operation already in progress";
    ECANCELED = 125, "Operation canceled";
    EOWNERDEAD = 130, "Owner died";
}

impl Errno {
    /// The Linux number.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The errno with this POSIX name.
    pub fn from_name(name: &str) -> Option<Errno> {
        Errno::ALL.iter().copied().find(|errno| errno.name() == name)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Errno {}
