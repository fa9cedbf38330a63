/** The five search attributes; `temporal workflow list -q 'SignalboxRepo="web"'`. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

export const SignalboxRepo = defineSearchAttributeKey('SignalboxRepo', SearchAttributeType.KEYWORD);
export const SignalboxWorkItem = defineSearchAttributeKey('SignalboxWorkItem', SearchAttributeType.KEYWORD);
export const SignalboxStage = defineSearchAttributeKey('SignalboxStage', SearchAttributeType.KEYWORD);
export const SignalboxWaitingOn = defineSearchAttributeKey('SignalboxWaitingOn', SearchAttributeType.KEYWORD);
export const SignalboxBranch = defineSearchAttributeKey('SignalboxBranch', SearchAttributeType.KEYWORD);

export const SEARCH_ATTRIBUTES = [
  SignalboxRepo,
  SignalboxWorkItem,
  SignalboxStage,
  SignalboxWaitingOn,
  SignalboxBranch,
];
