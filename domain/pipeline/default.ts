import type { AgentStage, Pipeline } from './types.js';

const agent = (name: string, profile: string, more: Partial<AgentStage> = {}): AgentStage => ({
  name,
  kind: 'agent',
  agent: profile,
  prompt: null,
  artifact: null,
  commits: 'optional',
  maxAttempts: null,
  onFail: null,
  ...more,
});

const repair = { goto: 'development', max: 3 };

/**
 * Used when neither task nor repository name a pipeline. `testing` is skipped where the repository has no checks;
 * stages whose profile is missing use the profile `default`.
 */
export const DEFAULT_PIPELINE: Pipeline = {
  stages: [
    agent('analysis', 'analyst', {
      prompt: 'Write down what is asked, what is not, and how it will be seen to work.',
      artifact: 'docs/brd/{workItem}.md',
      commits: 'required',
    }),
    { name: 'approval', kind: 'approval', of: 'analysis' },
    agent('architecture', 'architect', { prompt: 'Decide how it is built: parts, interfaces, order, risks.' }),
    agent('development', 'developer', { prompt: 'Build it, with tests.', commits: 'required' }),
    agent('review', 'reviewer', {
      prompt: 'Judge the change against the approved document. Verdict fail sends it back with your findings.',
      commits: 'forbidden',
      onFail: repair,
    }),
    { name: 'testing', kind: 'check', checks: null, onFail: repair },
    { name: 'merge', kind: 'merge', onConflict: repair, onRed: repair },
  ],
};
