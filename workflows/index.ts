/** The workflows a worker offers. */
export { task } from './task.js';
