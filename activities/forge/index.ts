/** What a host does with forges, wired once by the worker and by the API. */
import type { Pool } from '../../store/db.js';
import { asActivities } from '../failure.js';
import type { GitHost } from '../git/host.js';
import { externalChecks, type ForgeActivities } from './external-checks.js';

/** For the host's git queue, beside those of activities/git. */
export const createForgeActivities = (host: GitHost, pool: Pool): ForgeActivities =>
  asActivities<ForgeActivities>(externalChecks(host, pool));

export { examineForge } from './examine.js';
export { showPullRequestBy, type ShowPullRequest } from './show-pull-request.js';
