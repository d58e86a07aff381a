"""Running programs that nobody vouches for: apart from network, files and other processes, within stated limits.

Source    Linux manual pages: namespaces(7), user_namespaces(7), pid_namespaces(7), pivot_root(2), mount_setattr(2),
          setrlimit(2), seccomp(2), prctl(2)
"""
