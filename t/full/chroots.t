# The module builds without a warning and works in newer Debian releases, with OpenSSL 3.5 and 4.0.
use strict;
use warnings;
use FindBin;
exec 'bash', "$FindBin::Bin/../chroot" or die "t/chroot: $!";
