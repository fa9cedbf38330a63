/** Builds the workflow bundle next to the compiled files, once, at build time: a worker never bundles at run time. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const { code } = await bundleWorkflowCode({ workflowsPath: fileURLToPath(new URL('./index.js', import.meta.url)) });
await writeFile(new URL('./bundle-code.cjs', import.meta.url), code);
