/** The workflows a worker offers. */
export { check } from './check.js';
export { mergeQueue } from './merge-queue.js';
export { task } from './task.js';
