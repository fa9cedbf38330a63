/** A pipeline: the stages a task passes. Only kinds that work are in the union. */

export interface BackEdge {
  goto: string;
  /** How often this edge may be taken in one generation; then a person is asked. */
  max: number;
}

export interface AgentStage {
  name: string;
  kind: 'agent';
  /** Name of the agent profile. */
  agent: string;
  prompt: string | null;
  /** Path of the document this stage writes; `{workItem}` is replaced. */
  artifact: string | null;
  commits: 'required' | 'optional' | 'forbidden';
  maxAttempts: number | null;
  onFail: BackEdge | null;
}

export interface ApprovalStage {
  name: string;
  kind: 'approval';
  /** The agent stage whose result a person approves; a rejection goes back there. */
  of: string;
}

export interface CheckStage {
  name: string;
  kind: 'check';
  /** Names of checks of the repository; null = all. */
  checks: string[] | null;
  onFail: BackEdge | null;
}

export interface MergeStage {
  name: string;
  kind: 'merge';
  onConflict: BackEdge | null;
  onRed: BackEdge | null;
}

export type Stage = AgentStage | ApprovalStage | CheckStage | MergeStage;

export interface Pipeline {
  stages: Stage[];
}
