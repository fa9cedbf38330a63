/** The workflows a worker offers. */
export {};
