import { readFile, writeFile } from 'node:fs/promises';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
