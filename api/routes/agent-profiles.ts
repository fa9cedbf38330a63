import type { AgentProfile } from '../../domain/agents/types.js';
import { listProfiles, putProfile } from '../../store/agent-profiles.js';
import { audited } from '../audited.js';
import { principalOf } from '../auth.js';
import type { App } from '../context.js';
import type { ApiDeps } from '../deps.js';
import { readDuration, showDuration } from '../durations.js';
import { AgentProfileAnswer, AgentProfileList, PutAgentProfile } from '../schemas/agent-profiles.js';
import { nameParams } from '../schemas/common.js';

function readProfile(name: string, body: PutAgentProfile): AgentProfile {
  return {
    name,
    adapter: 'command',
    command: body.command,
    env: body.env ?? {},
    model: body.model ?? null,
    effort: body.effort ?? null,
    limits: {
      wallMs: readDuration('limits.wall', body.limits?.wall, '2h'),
      stallMs: readDuration('limits.stall', body.limits?.stall, '20m'),
      outputBytes: body.limits?.outputBytes ?? 256 * 1024 * 1024,
    },
    sandbox: body.sandbox ?? 'auto',
  };
}

/** Values of the environment may be secrets: only those who could set them see them. */
const hideEnv = (profile: AgentProfile): AgentProfile => ({
  ...profile,
  env: Object.fromEntries(Object.keys(profile.env).map((name) => [name, '***'])),
});

function showProfile(profile: AgentProfile) {
  const { wallMs, stallMs, outputBytes } = profile.limits;
  return {
    ...profile,
    limits: { wall: showDuration(wallMs), stall: showDuration(stallMs), outputBytes, usd: null },
    image: null,
  };
}

export function agentProfileRoutes(app: App, deps: ApiDeps): void {
  const tags = ['agent profiles'];
  app.put(
    '/api/agent-profiles/:name',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'Make or replace an agent profile',
        params: nameParams('Name of the profile; stages refer to it.'),
        body: PutAgentProfile,
        response: { 200: AgentProfileAnswer },
      },
    },
    async (request) => {
      const { name } = request.params;
      const profile = readProfile(name, request.body);
      await audited(deps, request, { action: 'agent-profile.set', subject: name }, () =>
        putProfile(deps.pool, profile),
      );
      return showProfile(profile);
    },
  );
  app.get(
    '/api/agent-profiles',
    {
      config: { scope: 'tasks:read' },
      schema: { tags, summary: 'Agent profiles', response: { 200: AgentProfileList } },
    },
    async (request) => {
      const profiles = await listProfiles(deps.pool);
      const shown = principalOf(request).scopes.includes('admin') ? profiles : profiles.map(hideEnv);
      return { items: shown.map(showProfile), next: null };
    },
  );
}
