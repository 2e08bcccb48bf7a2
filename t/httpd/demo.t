# conf/demo as a newcomer meets it: it starts, every command it prints works, the page shows what it should, it stops.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(run free_port scratch_dir slurp);
use SL::Httpd;

my $demo = "$FindBin::Bin/../../conf/demo";
my $dir  = scratch_dir('sl-demo');
my $ours = SL::Httpd::module_path('securelayer');
my %env  = (
    SL_DEMO_DIR => $dir, SL_DEMO_MODULE => $ours, SL_DEMO_PORT => free_port(), SL_DEMO_HTTP_PORT => free_port(),
    no_proxy => '*', HOME => $dir
);

sub demo { return run(['bash', $demo, @_], env => \%env, timeout => 120) }
sub pid  { return slurp("$dir/run/httpd.pid") =~ /(\d+)/ ? $1 : undef }
END { local $?; demo('stop') if $dir && -e "$dir/run/httpd.pid" }

is(demo('status')->{status}, 3, 'before it starts, status says that it does not run');
my $started = demo();
is($started->{status}, 0, 'conf/demo starts') or BAIL_OUT($started->{err} . slurp("$dir/logs/error"));
my $first = pid();

# Every curl command of the text, as it stands there.
my @commands = $started->{out} =~ /^\s+(curl .*)$/mg;
is(scalar @commands, 4, 'it prints four commands with curl');
my %page;
for my $command (@commands) {
    my $r = run(['sh', '-c', $command], env => { no_proxy => '*' });
    is($r->{status}, 0, "works: $command") or diag $r->{err};
    my ($name) = $command =~ m{://([\w.]+)};
    $page{$name} = $r->{out};
}
like($page{$_}, qr/^SSL_TLS_SNI=\Q$_\E$/m, "$_ shows the name that was asked for") for qw(one.localhost two.localhost client.localhost);
like($page{'one.localhost'}, qr/^SSL_SERVER_S_DN_CN=one\.localhost$/m, 'one.localhost shows a certificate of its own');
like($page{'two.localhost'}, qr/^SSL_SERVER_S_DN_CN=two\.localhost$/m, 'two.localhost too');
like($page{'one.localhost'}, qr/^SSL_CLIENT_VERIFY=NONE$/m, 'without a certificate the client is nobody');
like($page{'client.localhost'}, qr/^SSL_CLIENT_VERIFY=SUCCESS$/m, 'the printed client certificate is accepted');
like($page{'client.localhost'}, qr/^SSL_CLIENT_S_DN_CN=Ann Example$/m, '... and known by name');
like($page{localhost}, qr{<a href="https://one\.localhost:$env{SL_DEMO_PORT}/">}, 'plain HTTP links to the TLS hosts');

my ($cacert) = $started->{out} =~ /--cacert (\S+)/;
my $curl = sub {
    my ($host, @args) = @_;
    return run(['curl', '-sS', '--cacert', $cacert, '--resolve', "$host:$env{SL_DEMO_PORT}:127.0.0.1", @args, "https://$host:$env{SL_DEMO_PORT}/"]);
};
isnt($curl->('client.localhost')->{status}, 0, 'client.localhost refuses who has no certificate');
for my $type (['ECDSA', 'id-ecPublicKey'], ['RSA', 'rsaEncryption']) {
    my $r = $curl->('two.localhost', '--tlsv1.2', '--tls-max', '1.2', '--ciphers', "ECDHE-$type->[0]-AES128-GCM-SHA256");
    like($r->{out}, qr/SSL_SERVER_A_KEY<\/th><td>$type->[1]</, "two.localhost has a certificate with an $type->[0] key");
}
my ($p12, $phrase) = $started->{out} =~ /PKCS#12\s+(\S+) \(password: (\w+)\)/;
is(run(['openssl', 'pkcs12', '-in', $p12, '-passin', "pass:$phrase", '-noout'])->{status}, 0, 'the PKCS#12 file opens with the printed password');

my $html = $curl->('one.localhost', '-A', '<script>alert(1)</script>', '-D', "$dir/head")->{out};
like($html, qr/<title>one\.localhost/, 'the page is one for browsers');
like(slurp("$dir/head"), qr/^content-security-policy: default-src 'none'/mi, '... that may load nothing');
unlike($html, qr/<(?:script|img|link|iframe)\b|\burl\(|\@import/, '... and tries to load nothing');
like($html, qr/<th scope="row">SSL_PROTOCOL<\/th><td>TLSv1\.[23]<\/td>/, '... with a value');
like($html, qr/<tr class="none"><th scope="row">SSL_CLIENT_S_DN<\/th><td>empty<\/td>/, '... and what is empty says so');
my @listed = map {/^(\S+)/} split /\n/, slurp("$dir/conf/variables");
cmp_ok(scalar @listed, '>', 60, 'it knows the names of all variables');
my %alike = map { $_ => 1 } $html =~ /<th scope="row">(\w+)<\/th>/g;
is(join(' ', grep { !$alike{$_} && !/_(?:n|x509)$/ } @listed), '', '... and shows each');

# The page escapes what a certificate or client may say.
my $hostile = run([$^X, "$FindBin::Bin/../../conf/demo.cgi"],
    env => { SSL_CLIENT_S_DN_CN => qq{<script>"x"</script>\x07}, SERVER_NAME => '"><b>', DEMO_VARIABLES => "$dir/conf/variables" });
unlike($hostile->{out}, qr/<script|"><b>|\x07/, 'what peers say is escaped');
like($hostile->{out}, qr/&lt;script&gt;&quot;x&quot;/, '... and shown');

my $again = demo();
is($again->{status}, 0, 'starting it again is no error');
is(pid(), $first, '... and leaves it as it is') or diag $again->{err};
is(demo('status')->{status}, 0, 'status says that it runs');
my @crashes = grep {/exit signal/} split /\n/, slurp("$dir/logs/error");
is("@crashes", '', 'nothing crashed');

my $stopped = demo('stop');
is($stopped->{out}, "The demo is stopped.\n", 'conf/demo stop says that it stopped');
ok(!kill(0, $first), '... and the process is gone');
is(demo('stop')->{status}, 0, 'stopping it twice is no error');
isnt($curl->('one.localhost')->{status}, 0, 'nothing answers any more');
done_testing;
