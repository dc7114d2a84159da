package plan

// The settings of a swarm that a change can be about, in the engine's own names of its specification.
const (
	// AutoLockPath is whether managers are locked when they start: a boolean.
	AutoLockPath = "EncryptionConfig.AutoLockManagers"
	// CertExpiryPath is for how long certificates of nodes are valid: nanoseconds.
	CertExpiryPath = "CAConfig.NodeCertExpiry"
	// UnlockKeyFilePath is where the key goes that a locked manager asks for: an absolute path of a file that is not
	// there yet. The specification knows nothing of it.
	UnlockKeyFilePath = "UnlockKeyFile"
)
