/** kubeadm-style: the name is the key to `--ignore` it. */
export interface Check {
  name: string;
  run(): Promise<Finding | undefined>;
}

export interface Finding {
  severity: "error" | "warning";
  message: string;
  remedy: string;
}
