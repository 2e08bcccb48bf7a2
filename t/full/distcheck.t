# The source archive builds apart from its sources, which it does not write to, installs, uninstalls and cleans up
# (`make distcheck`), and what it holds is enough to make configure anew.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Cwd qw(abs_path);
use Test::More;
use SL::Command qw(run scratch_dir);

my $build   = abs_path("$FindBin::Bin/../../build/normal");
my $scratch = scratch_dir('sl-distcheck');

sub does {
    my ($claim, @command) = @_;
    my $r = run([@command], timeout => 1200);
    is($r->{status}, 0, $claim) or diag(substr("$r->{out}$r->{err}", -4000));
}

does('make distcheck', 'make', '-C', $build, 'distcheck');
my ($archive) = glob "$build/mod_securelayer-*.tar.xz" or BAIL_OUT('no archive was made');
does('unpacks', 'tar', '-C', $scratch, '--strip-components=1', '-xf', $archive);
does('autoreconf -fi && ./configure && make', 'sh', '-c', "cd '$scratch' && autoreconf -fi && ./configure -q && make -s");
ok(-s "$scratch/mod_securelayer/.libs/mod_securelayer.so", 'the module is there');
unlink $archive;
done_testing;
