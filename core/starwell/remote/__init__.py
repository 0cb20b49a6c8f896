"""The engine over a socket: any number of screens and commands, none of which it waits for."""
