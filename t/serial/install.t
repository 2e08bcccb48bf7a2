# `make install` puts the module and its header where apxs says, httpd loads it from there, `make uninstall` takes all of
# it away again, and the source archive holds every file that is kept under version control.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Cwd qw(abs_path);
use File::Find qw(find);
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(find_program run scratch_dir);
use SL::Httpd;

my $top     = abs_path("$FindBin::Bin/../..");
my $build   = "$top/build/normal";
my $scratch = scratch_dir('sl-install');

sub make {
    my (@arguments) = @_;
    my $r = run(['make', '-s', '-C', $build, @arguments], timeout => 120);
    is($r->{status}, 0, "make $arguments[0]") or diag($r->{out}, $r->{err});
}

# Files below a folder, with the path they have in it.
sub files_below {
    my ($dir) = @_;
    my @files;
    find({ wanted => sub { push @files, substr($_, length $dir) if !-d $_ || -l $_ }, no_chdir => 1 }, $dir) if -d $dir;
    return sort @files;
}

my $apxs = find_program('apxs', 'apxs2') or BAIL_OUT('apxs is not installed');
my ($modules, $headers) = map { run([$apxs, '-q', $_])->{out} =~ s/\s+\z//r } qw(LIBEXECDIR INCLUDEDIR);
my $root = "$scratch/root";

make('install', "DESTDIR=$root");
is_deeply([files_below($root)], [sort "$modules/mod_securelayer.so", "$headers/mod_securelayer.h"],
    'the module and its header are installed, and nothing else');
is((stat "$root$headers/mod_securelayer.h")[2] & 0777, 0644, 'all may read the header');

my $one   = SL::Certs->new->server('one.test', type => 'ecdsa');
my $httpd = do {
    local $ENV{SL_MODULE} = "$root$modules/mod_securelayer.so";
    my $server = SL::Httpd->new(config => <<"CONF");
Listen 127.0.0.1:\${port_https}
<VirtualHost *:\${port_https}>
    ServerName one.test
    SSLEngine on
    SSLCertificateFile "$one->{both}"
</VirtualHost>
CONF
    $server->start_ok or BAIL_OUT('httpd does not start');
    $server;
};
is(SL::Client->new(port => $httpd->port('https'))->curl('https://one.test/')->{code}, 200, 'httpd serves with it');
$httpd->stop;

make('uninstall', "DESTDIR=$root");
is_deeply([files_below($root)], [], 'nothing stays behind');

SKIP: {
    -e "$top/.git" && find_program('git') or skip('no version control here', 2);
    make('distdir', "distdir=$scratch/dist");
    my %kept = map { ("/$_" => 1) } split /\n/, run(['git', '-C', $top, 'ls-files'])->{out};
    cmp_ok(scalar keys %kept, '>', 100, 'version control keeps files');
    delete $kept{$_} for grep { m{^/\.(ci/|gitignore$)} || !-e "$top$_" } keys %kept;
    delete $kept{$_} for files_below("$scratch/dist");
    is_deeply([sort keys %kept], [], 'every file is in the archive');
}
done_testing;
